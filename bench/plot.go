package main

import (
	"image/color"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// The size of a plot.
const (
	width  = 16 * vg.Centimeter
	height = 9 * vg.Centimeter
)

var ink = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}

// plot draws a curve into NAME.svg. What spans orders of magnitude has a
// logarithmic axis.
func (c curve) plot(dir string) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = c.X, c.Y
	points := make(plotter.XYs, len(c.Points))
	for i, at := range c.Points {
		points[i] = plotter.XY{X: at.X, Y: at.Y}
	}
	const wide = 50
	if n := len(points); n > 1 && points[n-1].X/max(points[0].X, 1) > wide {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, dots.Color = ink, ink
	p.Add(plotter.NewGrid(), line, dots)
	p.Y.Min = 0
	return p.Save(width, height, filepath.Join(dir, c.Name+".svg"))
}

// A bar begins at zero, which no logarithm has: those of plotCalls begin at 100 ns.
const hundred = 100

var decades = plot.ConstantTicks{
	{Value: 0, Label: "100"}, {Value: 1, Label: "1,000"}, {Value: 2, Label: "10,000"}, {Value: 3, Label: "100,000"},
}

// plotCalls draws what a message costs each side, on a logarithmic axis.
func (r *results) plotCalls(dir string) error {
	if len(r.Sides) == 0 {
		return nil
	}
	p := plot.New()
	p.X.Label.Text = "ns a message"
	var names []string
	var values plotter.Values
	for _, side := range slices.Backward(r.Sides) { // the first is the highest
		names, values = append(names, side.Name), append(values, math.Log10(max(side.Median/hundred, 1)))
	}
	bars, err := plotter.NewBarChart(values, vg.Points(14))
	if err != nil {
		return err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, ink, 0
	p.Add(bars)
	p.NominalY(names...)
	p.X.Min, p.X.Tick.Marker = 0, decades
	return p.Save(width, height, filepath.Join(dir, "calls.svg"))
}

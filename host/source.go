package host

import (
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/pipeline"
	source "github.com/relayhost/relayhost/host/source/eventrelay"
)

// source is where a line's events come from.
func (w workshop) source(l *line, c config.Pipeline) pipeline.Source {
	p := c.Producer
	return source.New(l.conn, source.Options{
		DestinationID: p.DestinationID,
		PullInterval:  p.PullInterval,
		PullTimeout:   p.PullTimeout,
		Logger:        w.options.Logger.With("pipeline", c.Name),
	})
}

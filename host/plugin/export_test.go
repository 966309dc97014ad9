package plugin

// Rest has a plugin be taken for one that fails all the time, or not.
func (p *Plugin) Rest(on bool) {
	row := int64(0)
	if on {
		row = p.breaker.limit
	}
	p.breaker.row.Store(row)
}

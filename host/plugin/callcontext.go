package plugin

import (
	"context"

	"github.com/relayhost/relayhost/host/plugin/meter"
)

// callContext is what an instance is made and called with: through it host
// functions find who calls them. It answers in one step. Beneath that of a call
// there is nothing, since wazero asks at each call for a key that nobody has.
type callContext struct {
	context.Context

	log   *guestLog
	gauge *meter.Gauge
}

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	switch key.(type) {
	case meter.GaugeKey:
		return c.gauge
	case guestLogKey:
		return c.log
	}
	return c.Context.Value(key)
}

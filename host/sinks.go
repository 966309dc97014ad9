package host

import (
	"github.com/relayhost/relayhost/host/pipeline"
	"github.com/relayhost/relayhost/host/sink/stdout"
)

// sinks are the sinks that a configuration can name. Batchers that name the
// same one share it.
type sinks map[string]pipeline.Sink

func newSinks(o Options) sinks {
	return sinks{"stdout": stdout.New(o.Stdout)}
}

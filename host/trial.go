package host

import (
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/trial"
)

// Trial is how a pipeline of a configuration is tried without a server: with all
// that it has but its source, its sinks, and the module, which is the caller's.
func Trial(c config.Pipeline, o Options) trial.Options {
	o = o.withDefaults()
	return trial.Options{
		Settings: settings(c),
		Pipeline: workshop{options: o}.shape(c),
		Logger:   o.Logger,
	}
}

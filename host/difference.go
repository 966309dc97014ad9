package host

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/secret"
)

// fixed refuses a change of what a running host cannot change.
func fixed(old, c *config.Config) error {
	var errs []error
	for _, part := range []struct {
		name string
		same bool
	}{
		{"cache_dir", old.CacheDir == c.CacheDir},
		{"[metrics]", old.Metrics == c.Metrics},
		{"[journal]", old.Journal == c.Journal},
		{"[versions]", old.Versions == c.Versions},
		{"[control]", alikeControl(old.Control, c.Control)},
	} {
		if !part.same {
			errs = append(errs, fmt.Errorf("%s cannot change while the host runs\nhint: put it back, or restart the host", part.name))
		}
	}
	return errors.Join(errs...)
}

// alike reports whether two pipelines differ in their plugin at most.
func alike(a, b config.Pipeline) bool {
	a.Plugin, b.Plugin = config.Plugin{}, config.Plugin{}
	return sameText(&a.Producer.Token, &b.Producer.Token) &&
		sameText(&a.DeadLetters.Token, &b.DeadLetters.Token) &&
		reflect.DeepEqual(a, b)
}

func alikeControl(a, b config.Control) bool {
	return sameText(&a.Token, &b.Token) && reflect.DeepEqual(a, b)
}

// sameText compares two secrets, and takes them out of what they are in: they are
// never equal there.
func sameText(a, b *secret.Text) bool {
	same := a.Reveal() == b.Reveal()
	*a, *b = secret.Text{}, secret.Text{}
	return same
}

package host_test

import (
	"testing"

	"github.com/relayhost/relayhost/host/control"
)

// A shadow gets the messages, and what it makes of them goes nowhere; how it
// differs is told, until an operator ends it.
func TestShadow(t *testing.T) {
	w := newWorks(t, "[pipeline.plugin.rollout]\nmode = \"shadow\"\nshare = 100\nwindow = \"1s\"\n")
	end := w.flow()
	put(t, w.module, wilful(t, 2, behaviour{fails: 30}))
	w.trying(wilful(t, 2, behaviour{fails: 30}))
	var trial control.Trial
	w.within("the shadow has differed", func() bool {
		trial = *w.plugin().Rollout.Trial
		return trial.Differed > 20 && trial.Candidate.Failures > 0
	})
	if len(trial.Differences) == 0 || trial.Differences[0].EventID == "" || len(trial.Differences[0].Fields) == 0 {
		t.Errorf("the differences: %+v", trial.Differences)
	}
	w.log.await(t, "plugin version in the shadow", 1)
	_, err := w.client.Rollback(t.Context(), "users", "")
	must(t, err)
	w.ended(wilful(t, 2, behaviour{fails: 30}), control.ResultRolledBack)

	put(t, w.module, wilful(t, 3, behaviour{}))
	w.trying(wilful(t, 3, behaviour{}))
	_, err = w.client.Promote(t.Context(), "users")
	must(t, err)
	w.ended(wilful(t, 3, behaviour{}), control.ResultLive)
	w.within("version 3 has handled some", func() bool { return w.by(3) > 0 })
	end()
	for _, c := range w.came() {
		if c.version == 2 {
			t.Fatalf("what the shadow has made came out: %+v", c)
		}
	}
	w.down()
}

// A host that ends while a shadow is tried does not hold that against it.
func TestShadowAcrossRestart(t *testing.T) {
	w := newWorks(t, "[pipeline.plugin.rollout]\nmode = \"shadow\"\n")
	put(t, w.module, wilful(t, 2, behaviour{}))
	w.trying(wilful(t, 2, behaviour{}))
	w.down()
	w.up()
	w.trying(wilful(t, 2, behaviour{}))
	w.down()
}

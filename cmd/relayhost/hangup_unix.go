//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/relayhost/relayhost/host"
)

// reloadOnHangup has a host read its configuration again at each SIGHUP, until
// stop is called. What comes of it is in the log.
func reloadOnHangup(ctx context.Context, h *host.Host) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range signals {
			_, _ = h.Reload(ctx)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

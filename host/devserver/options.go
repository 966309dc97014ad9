package devserver

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// Options says how a server runs. The zero value is a server in memory on a
// free loopback port that asks for keys.
type Options struct {
	// Listen is the TCP address. Defaults to "127.0.0.1:0".
	Listen string
	// TLS, when set, makes the server speak TLS only; with ClientAuth set to
	// tls.RequireAndVerifyClientCert, mutual TLS.
	TLS *tls.Config
	// DataDir is where the server keeps its data. It is made if it is not
	// there. Empty means in memory only.
	DataDir string
	// AuthOff lets everybody do everything.
	AuthOff bool
	// Unlock implements UnLockQueuedEvents, which the real server does not.
	Unlock bool
	// Faults are the ways in which the server is to fail. Defaults to none; see
	// [Server.SetFaults].
	Faults []Fault
	// FaultSeed is what the chance of faults begins with.
	FaultSeed uint64
	// Logger hears of faults behind an internal error; never of a secret.
	// Defaults to silence.
	Logger *slog.Logger
	// Now is the server's clock. Defaults to time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

//go:build !unix

package main

import (
	"context"

	"github.com/relayhost/relayhost/host"
)

// reloadOnHangup does nothing where there is no such signal: `relayhost reload` is
// there.
func reloadOnHangup(context.Context, *host.Host) (stop func()) { return func() {} }

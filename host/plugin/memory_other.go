//go:build !linux

package plugin

import "context"

// linearMemory cannot be put back to an earlier state here: there is none.
type linearMemory struct{}

func withMemory(ctx context.Context) (context.Context, *linearMemory) { return ctx, nil }

func (*linearMemory) Free()         {}
func (*linearMemory) freeze() bool  { return false }
func (*linearMemory) restore() bool { return false }

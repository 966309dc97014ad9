package main

import (
	"context"
	"log/slog"
	"path"

	"github.com/relayhost/relayhost/host/builder"
	"github.com/relayhost/relayhost/host/plugin"
	"github.com/relayhost/relayhost/host/watch"
)

// devSource is what a plugin is made from.
type devSource struct {
	path    string
	builder *builder.Builder // nil: the path is that of the module itself
}

func findSource(path string) (s devSource, err error) {
	s.path = path
	if isDirectory(path) {
		s.builder, err = builder.Find(path)
		return s, err
	}
	_, err = plugin.ReadFile(path, 0)
	return s, err
}

// buildFunc makes the module.
type buildFunc func(ctx context.Context) ([]byte, error)

func (s devSource) build(ctx context.Context) ([]byte, error) {
	if s.builder == nil {
		return plugin.ReadFile(s.path, 0)
	}
	return s.builder.Build(ctx, s.path)
}

// watch calls changed at once, and then whenever the source is another, until ctx
// ends. What is saved during a call leads to one more.
func (s devSource) watch(ctx context.Context, log *slog.Logger, changed func(buildFunc)) {
	o := watch.Options{Logger: log}
	if s.builder == nil {
		watch.File(ctx, s.path, "", o, func(c watch.Content) {
			changed(func(context.Context) ([]byte, error) { return c.Data, c.Err })
		})
		return
	}
	watch.Tree(ctx, s.path, s.matters, "", o, func(c watch.Content) {
		if c.Err != nil {
			changed(func(context.Context) ([]byte, error) { return nil, c.Err })
			return
		}
		changed(s.build)
	})
}

// matters reports whether a change there may change what is printed.
func (s devSource) matters(below string, dir bool) bool {
	if dir {
		return below == "testdata" || s.builder.Source(below, dir)
	}
	return sampleFile(below) || path.Dir(below) != "testdata" && s.builder.Source(below, dir)
}

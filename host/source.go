package host

import (
	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/pipeline"
	source "github.com/relayhost/relayhost/host/source/eventrelay"
)

// source is where a line's events come from.
func (w workshop) source(l *line, c config.Pipeline) pipeline.Source {
	p := c.Producer
	if p.Mode == "log" {
		l.log = source.NewLog(l.conn, w.logOptions(c, l.inbox))
		return l.log
	}
	o := source.Options{
		DestinationID: p.DestinationID,
		PullInterval:  p.PullInterval,
		PullTimeout:   p.PullTimeout,
		Unlock:        c.OnFailure == "unlock",
		Logger:        w.options.Logger.With("pipeline", c.Name),
	}
	if p.Reconcile {
		o.Reconcile, o.ReconcileInterval, o.ReconcileStart = true, p.ReconcileInterval, source.Start(p.ReconcileStart)
		o.Topic, o.Query, o.Lookback, o.Memory = p.Topic, p.Query, source.Lookback(p.Lookback), l.inbox
	}
	return source.New(l.conn, o)
}

func (w workshop) logOptions(c config.Pipeline, inbox *journal.Inbox) source.LogOptions {
	p := c.Producer
	o := source.LogOptions{
		Topic: p.Topic, Query: p.Query,
		Start:        source.Start(p.Start),
		Shard:        source.Shard(p.Shard),
		Lookback:     source.Lookback(p.Lookback),
		PullInterval: p.PullInterval,
		PullTimeout:  p.PullTimeout,
		Logger:       w.options.Logger.With("pipeline", c.Name),
		Memory:       inbox,
	}
	if p.ShardBy != nil {
		o.ShardBy = p.ShardBy.Value
	}
	return o
}

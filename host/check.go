package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/relayhost/relayhost/host/config"
	"github.com/relayhost/relayhost/host/eventrelay"
	"github.com/relayhost/relayhost/host/plugin"
)

// Check looks at everything that a host with this configuration would need, as
// far as it can be seen without the network: certificates, keys, tokens, and
// each plugin, which it loads and configures. The error holds every fault;
// warnings are risks that do not keep a host from running. A configuration that
// has faults of its own is looked at as far as it goes.
func Check(ctx context.Context, c *config.Config, o Options) (warnings []error, err error) {
	o = o.withDefaults()
	engine, err := plugin.Open(ctx, plugin.Options{CacheDir: c.CacheDir, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	var errs []error
	if exposed(c.Metrics.Listen) {
		warnings = append(warnings, errExposed)
	}
	if err := checkJournal(c.Journal); err != nil {
		errs = append(errs, err)
	}
	for _, p := range c.Pipelines {
		faults, risks := checkConnection(p.Producer)
		errs = append(errs, about(p.Name, faults)...)
		warnings = append(warnings, about(p.Name, risks)...)
		errs = append(errs, about(p.Name, checkPlugin(ctx, engine, p))...)
	}
	return warnings, errors.Join(append(errs, engine.Close(ctx))...)
}

// errExposed warns of metrics that others may see.
var errExposed = errors.New("metrics.listen is not a loopback address: whoever reaches it sees the metrics, without being asked who it is\n" +
	"hint: listen on 127.0.0.1 or ::1, or keep others from the port")

// exposed reports whether an address may be reached from elsewhere.
func exposed(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil || host == "localhost" {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.Unmap().IsLoopback()
}

// checkJournal looks whether the journal's folder can be written to, or be made.
// It may well be in use.
func checkJournal(j config.Journal) error {
	if !j.Enabled || j.Dir == "" {
		return nil
	}
	dir := j.Dir
	for {
		_, err := os.Stat(dir)
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir = parent
			continue
		}
		break
	}
	probe, err := os.CreateTemp(dir, ".relayhost-check-")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return fmt.Errorf("journal: nothing can be written to %s: %w\nhint: give [journal] another dir", dir, err)
	}
	return nil
}

// checkConnection looks at the files even if the address is at fault.
func checkConnection(p config.Producer) (faults, warnings []error) {
	o := connection(p)
	o.Host, o.Port = cmp.Or(o.Host, "localhost"), cmp.Or(o.Port, 1)
	return eventrelay.Check(o)
}

func checkPlugin(ctx context.Context, engine *plugin.Engine, p config.Pipeline) []error {
	if p.Plugin.Module == "" { // its absence has been said
		return nil
	}
	loaded, err := load(ctx, engine, p)
	if err != nil {
		return []error{err}
	}
	if err := loaded.Close(ctx); err != nil {
		return []error{err}
	}
	return nil
}

func about(pipeline string, errs []error) []error {
	for i, err := range errs {
		errs[i] = fmt.Errorf("pipeline %q: %w", pipeline, err)
	}
	return errs
}

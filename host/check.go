package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	if config.Exposed(c.Metrics.Listen) {
		warnings = append(warnings, errExposed)
	}
	if err := checkJournal(c.Journal); err != nil {
		errs = append(errs, err)
	}
	if err := checkFolder(c.Versions.Dir); err != nil {
		errs = append(errs, fmt.Errorf("versions: %w\nhint: give [versions] another dir", err))
	}
	for _, p := range c.Pipelines {
		faults, risks := checkConnection(p.Producer)
		errs = append(errs, allAbout(p.Name, faults)...)
		warnings = append(warnings, allAbout(p.Name, risks)...)
		errs = append(errs, allAbout(p.Name, checkPlugin(ctx, engine, p))...)
	}
	return warnings, errors.Join(append(errs, engine.Close(ctx))...)
}

// errExposed warns of metrics that others may see.
var errExposed = errors.New("metrics.listen is not a loopback address: whoever reaches it sees the metrics, without being asked who it is\n" +
	"hint: listen on 127.0.0.1 or ::1, or keep others from the port")

// checkJournal looks whether the journal's folder can be written to, or be made.
// It may well be in use.
func checkJournal(j config.Journal) error {
	if !j.Enabled {
		return nil
	}
	if err := checkFolder(j.Dir); err != nil {
		return fmt.Errorf("journal: %w\nhint: give [journal] another dir", err)
	}
	return nil
}

// checkFolder looks whether a folder can be written to, or be made.
func checkFolder(dir string) error {
	if dir == "" { // of a configuration with faults
		return nil
	}
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
		return fmt.Errorf("nothing can be written to %s: %w", dir, err)
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

func allAbout(pipeline string, errs []error) []error {
	for i, err := range errs {
		errs[i] = about(pipeline, err)
	}
	return errs
}

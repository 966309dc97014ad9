package plugin

import (
	"cmp"
	"fmt"
	"io"
	"os"
)

// ReadFile reads a module's file, but none that is larger than limit bytes; 0
// means [ModuleLimits]' default.
func ReadFile(path string, limit int) ([]byte, error) {
	limit = cmp.Or(limit, ModuleLimits{}.withDefaults().Size)
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("read plugin: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	file, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read plugin: %w", err)
	}
	if len(file) > limit {
		return nil, fmt.Errorf("plugin %s refused: the file has more than %d bytes, the limit for modules\n"+
			"hint: is it a module? then raise module_size in [pipeline.plugin.limits]", path, limit)
	}
	return file, nil
}

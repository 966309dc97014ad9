package config

import (
	"os"
	"path/filepath"
)

// DefaultCacheDir is where compiled plugins are kept unless configured
// otherwise; empty if the system has no cache directory for the user.
func DefaultCacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "relayhost")
}

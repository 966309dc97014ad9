package config_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relayhost/relayhost/host/config"
)

func TestPluginConfig(t *testing.T) {
	const table = `{"a":1,"b":{"c":[1.5,"<x>"],"d":true}}`
	for name, c := range map[string]struct{ text, want string }{
		"TOML":           {"a = 1\n[b]\nc = [1.5, \"<x>\"]\nd = true\n", table},
		"JSON":           {" {\"b\": {\"d\": true, \"c\": [1.5, \"<x>\"]},\n\"a\": 1}\n", table},
		"large integers": {`{"n": 12345678901234567890}`, `{"n":12345678901234567890}`},
		"dates":          {"d = 2026-11-25", `{"d":"2026-11-25"}`},
		"no keys":        {"", "{}"},
		"braces":         {"{}", "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.ParsePluginConfig("config", []byte(c.text))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestPluginConfigFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"TOML":      {"a = 1\nb = ", "config:2: not TOML: "},
		"JSON":      {"{\"a\": 1,\n\"b\": }", "config:"},
		"two":       {"{} {}", "config:1: not a JSON object: there is more after the object"},
		"cut off":   {"{\"a\": ", "config:1: not a JSON object: unexpected EOF"},
		"no number": {"a = nan", "config:1: a: is NaN, which JSON cannot hold"},
		"large":     {"{" + strings.Repeat(" ", 1<<20) + "}", "config:1: larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.ParsePluginConfig("config", []byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || got != nil {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "none.toml")
	if _, err := config.LoadPluginConfig(file); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), file+": cannot be read: ") {
		t.Errorf("got %v", err)
	}
}

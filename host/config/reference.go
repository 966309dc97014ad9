package config

import (
	"fmt"
	"strings"
)

const preface = `# relayhost.toml

<!-- Made from host/config/schema.go: go test ./host/config -run Reference -update -->

A file of [TOML](https://toml.io), read by ` + "`relayhost run`" + ` and ` + "`relayhost check`" + `; the repository's
[relayhost.toml](../relayhost.toml) is a working example. An unknown key is an error, and so is a value
out of its range: every fault is reported in one go, with its line and the valid keys. A file has at most
1 MiB and nests at most 64 deep.

- A **duration** is a number and its unit in quotes: ` + "`\"500ms\"`, `\"2s\"`, `\"1m30s\"`" + `.
- A **size** is a whole number and its unit in quotes: ` + "`\"64KiB\"`, `\"256MiB\"`, `\"1GiB\"`" + `.
- A **field** is one of an event: ` + "`group_key`, `user_key`, `reference_key`, `trace_key`, `anonymous_key`, `name`, `topic`" + `;
  ` + "`context.KEY`" + ` for a value of its context, KEY being all that follows the dot; or ` + "`data.a.b`" + ` for what lies under
  the keys a and b in its data. There a dot in a key is written ` + "`\\.`" + ` and a backslash ` + "`\\\\`" + `; nothing else has a meaning, so
  there are no wildcards and no places in arrays. A field's value is a string, a number or a boolean; whatever else
  there is, or is not, counts as the empty string. Only the first 1024 bytes count.
- A **path** that is relative is taken from the configuration file's folder.
- A **secret** is a string, or better ` + "`{ env = \"NAME\" }`" + ` for an environment variable, or ` + "`{ file = \"PATH\" }`" + ` for
  a file's text (less its last line end). It is fetched when the configuration is loaded and shows as
  ` + "`[redacted]`" + ` wherever the configuration is printed or logged.
`

// Reference is the documentation of every key in Markdown: docs/config.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(preface)
	section(&b, "## The top of the file\n", "", configKeys(&Config{}))
	return b.String()
}

// section writes the keys of a table, and then the tables in it.
func section(b *strings.Builder, heading, path string, keys []key) {
	b.WriteString("\n" + heading)
	if rows := rows(keys); rows != "" {
		b.WriteString("\n| key | type | default | meaning |\n|---|---|---|---|\n" + rows)
	}
	for _, k := range keys {
		if len(k.kind.keys) > 0 {
			section(b, title(path, k), below(path, k.name), k.kind.keys)
		}
	}
}

// title is a section's heading, as the file writes it, and its meaning.
func title(path string, k key) string {
	brackets := "## `[%s]`\n\n%s\n"
	if k.kind.name == "array of tables" {
		brackets = "## `[[%s]]`\n\n%s\n"
	}
	return fmt.Sprintf(brackets, below(path, k.name), k.doc)
}

func below(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// rows is a line for each key that is not a section of its own.
func rows(keys []key) string {
	var b strings.Builder
	for _, k := range keys {
		if len(k.kind.keys) > 0 {
			continue
		}
		kind := strings.TrimSuffix(k.kind.name+", "+k.kind.bounds, ", ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.name, kind, k.defaultText(), k.doc)
	}
	return b.String()
}

// defaultText is a key's default as the documentation shows it.
func (k key) defaultText() string {
	switch def := k.def.(type) {
	case nil:
		if k.need {
			return "**required**"
		}
		return "none"
	case computed:
		return def.text
	case besideFile:
		return "as the file, but " + string(def)
	case string:
		return "`\"" + def + "\"`"
	case map[string]any:
		return "`{}`"
	default:
		return fmt.Sprintf("`%v`", def)
	}
}

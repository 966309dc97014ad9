package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/control"
)

// rolling is a host whose rollout goes a step further each time it is looked at.
type rolling struct {
	control.Host

	mu     sync.Mutex
	steps  []control.Rollout
	trying bool // before it is told anything
	looks  int
	told   []string
	module control.Module
}

func (h *rolling) tell(what ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, strings.Join(what, " "))
	h.trying = false
}

func (h *rolling) Plugin(_ context.Context, pipeline string) (control.Plugin, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if pipeline != "users" {
		return control.Plugin{}, &control.NoPipelineError{Name: pipeline, Known: []string{"users"}}
	}
	if h.trying {
		return control.Plugin{Rollout: &control.Rollout{Number: 7, Stage: control.StageCanary}}, nil
	}
	at := min(h.looks, len(h.steps)-1)
	h.looks++
	if at < 0 || h.steps[at].Number == 0 {
		return control.Plugin{}, nil
	}
	return control.Plugin{Pipeline: pipeline, Mode: "canary", Rollout: &h.steps[at]}, nil
}

func (h *rolling) Swap(_ context.Context, pipeline string, m control.Module) (control.Started, error) {
	h.tell("swap", pipeline)
	h.module = m
	return control.Started{Rollout: 7}, nil
}

func (h *rolling) Promote(_ context.Context, pipeline string) (control.Started, error) {
	h.tell("promote", pipeline)
	return control.Started{Rollout: 7}, nil
}

func (h *rolling) Rollback(_ context.Context, pipeline, digest string) (control.Started, error) {
	h.tell("rollback", pipeline, digest)
	return control.Started{Rollout: 7}, nil
}

func (h *rolling) Reload(context.Context) (control.Reloaded, error) {
	h.tell("reload")
	return control.Reloaded{Added: []string{"new"}, Unchanged: []string{"orders", "users"}}, nil
}

func (h *rolling) Resume(_ context.Context, pipeline, partition string) error {
	h.tell("resume", pipeline, partition)
	if partition != "user-7" {
		return control.Refuse("partition %q is not halted", partition)
	}
	return nil
}

// step is the rollout 7 at a stage, or with a result.
func step(stage, result, err string) control.Rollout {
	return control.Rollout{Number: 7, Digest: strings.Repeat("0a", 32), Source: "v2.wasm", Stage: stage, Result: result, Error: err}
}

// inFolder has a configuration and a module in a folder of its own, and a host
// that runs there unless it is nil.
func inFolder(t *testing.T, h control.Host) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rh") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Chdir(dir)
	for name, text := range map[string]string{"relayhost.toml": "[journal]\ndir = \"relayhost.journal\"\n", "v2.wasm": "\x00asm"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("relayhost.journal", 0o700); err != nil {
		t.Fatal(err)
	}
	if h != nil {
		t.Cleanup(answer(t, filepath.Join("relayhost.journal", "host.sock"), h))
	}
}

// commanded runs a command.
func commanded(args ...string) (status int, out, stderr string) {
	var stdout, err bytes.Buffer
	status = run(args, process{in: strings.NewReader(""), out: &stdout, err: &err})
	return status, stdout.String(), err.String()
}

// A rollout is followed to its end, and the status says what it was.
func TestRolloutIsFollowed(t *testing.T) {
	live := []control.Rollout{
		{}, {Number: 6, Stage: "done", Result: "live"}, step("verify", "", ""), step("compile", "", ""), step("compile", "", ""),
		step("drain", "", ""), step("done", "live", ""),
	}
	canary := []control.Rollout{step("canary", "", ""), step("switch", "", ""), step("done", "live", "")}
	back := []control.Rollout{step("canary", "", ""), step("done", "rolled_back", "12 % failures, of the live one's 1 %")}
	newer := control.Rollout{Number: 8, Stage: "meter", Source: "v3.wasm", Digest: "99999999999999999"}
	for name, c := range map[string]struct {
		args   string
		steps  []control.Rollout
		trying bool
		status int
		says   string
	}{
		"live": {
			"swap users v2.wasm", live, false, 0,
			"users: rollout 7: v2.wasm (0a0a0a0a0a0a)\nusers: verify\nusers: compile\nusers: drain\nusers: live: v2.wasm (0a0a0a0a0a0a)\n",
		},
		"refused": {
			"swap users v2.wasm", []control.Rollout{step("verify", "refused", "no relay_abi_v1\nhint: rebuild it")}, false, 1,
			"relayhost: error: pipeline \"users\": refused: v2.wasm (0a0a0a0a0a0a): no relay_abi_v1\nhint: rebuild it\n",
		},
		"superseded":       {"swap users v2.wasm", []control.Rollout{step("test", "superseded", "")}, false, 1, `"users": superseded: v2.wasm`},
		"long superseded":  {"swap users v2.wasm", []control.Rollout{newer}, false, 1, "superseded by rollout 8, of v3.wasm (999999999999)"},
		"trial":            {"swap users v2.wasm", canary, false, 0, "users: canary\nusers: the trial has begun, and lasts as long as the window"},
		"trial, waited":    {"swap --wait users v2.wasm", canary, false, 0, "users: canary\nusers: switch\nusers: live"},
		"trial, worse":     {"swap --wait users v2.wasm", back, false, 1, "rolled back: v2.wasm (0a0a0a0a0a0a): 12 % failures"},
		"promote":          {"promote users", canary, true, 0, "users: switch\nusers: live"},
		"promote, worse":   {"promote users", back, true, 1, "rolled back"},
		"end of a trial":   {"rollback users", back, true, 0, "users: rolled back: v2.wasm"},
		"no end of it":     {"rollback users", canary, true, 1, `"users": live: v2.wasm`},
		"rollback":         {"rollback users 0a0a0a0a", live, false, 0, "users: live"},
		"rollback, failed": {"rollback users", append(live[:2:2], back...), false, 1, "rolled back"},
		"no pipeline":      {"rollback user", nil, false, 1, "there is no pipeline \"user\"\nhint: there are users\n"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &rolling{steps: c.steps, trying: c.trying}
			inFolder(t, h)
			args := append([]string{"plugin"}, strings.Fields(c.args)...)
			if status, out, stderr := commanded(args...); status != c.status || out != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("status %d, standard output %q, and standard error\n%s\nwant status %d and\n%s", status, out, stderr, c.status, c.says)
			}
		})
	}
}

// The signature is that which is named, or lies beside the file.
func TestSignatureIsFound(t *testing.T) {
	h := &rolling{steps: []control.Rollout{step("done", "live", "")}}
	inFolder(t, h)
	for _, c := range []struct {
		file, args, want string
	}{
		{"", "", ""},
		{"v2.wasm.sig", "", "a"},
		{"v2.wasm.minisig", "", "b"},
		{"elsewhere", "--signature=elsewhere", "c"},
	} {
		if c.file != "" {
			if err := os.WriteFile(c.file, []byte(c.want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args := append([]string{"plugin", "swap", "users", "./v2.wasm"}, strings.Fields(c.args)...)
		if status, _, stderr := commanded(args...); status != 0 {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
		want := control.Module{Name: "v2.wasm", File: []byte("\x00asm"), Signature: []byte(c.want)}
		if !reflect.DeepEqual(h.module, want) {
			t.Errorf("%v sends %+v, want %+v", args, h.module, want)
		}
	}
}

// What cannot be sent is status 2, and nothing is sent.
func TestSwapOfNothing(t *testing.T) {
	h := &rolling{}
	inFolder(t, h)
	for name, size := range map[string]int{"empty": 0, "large": control.MaxSignature + 1} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, says := range map[string]string{
		"none.wasm":                     "none.wasm",
		"v2.wasm --signature=none":      "read the signature: open none",
		"v2.wasm --signature=empty":     "the signature empty is empty",
		"v2.wasm --signature=large":     "more than 8192 bytes",
		"v2.wasm -c none.toml":          "none.toml",
		"v2.wasm --signature=empty --x": "unknown flag",
	} {
		status, _, stderr := commanded(append([]string{"plugin", "swap", "users"}, strings.Fields(args)...)...)
		if status != statusUsage || !strings.Contains(stderr, says) {
			t.Errorf("%s: status %d, %s", args, status, stderr)
		}
	}
	if len(h.told) > 0 {
		t.Errorf("the host was told %q", h.told)
	}
}

// Without a host there is nobody to tell.
func TestSteeringWithoutAHost(t *testing.T) {
	inFolder(t, nil)
	for _, command := range []string{
		"plugin swap users v2.wasm", "plugin promote users", "plugin rollback users", "plugin history users", "reload", "resume users p",
	} {
		status, _, stderr := commanded(strings.Fields(command)...)
		if status != statusNoHost || !strings.Contains(stderr, "no host runs with relayhost.toml") {
			t.Errorf("%s: status %d, %s", command, status, stderr)
		}
	}
}

func TestReloadAndResume(t *testing.T) {
	h := &rolling{}
	inFolder(t, h)
	if status, out, stderr := commanded("reload"); status != 0 || out != "added: new\nunchanged: orders, users\n" {
		t.Errorf("reload: status %d, %s%s", status, out, stderr)
	}
	if status, _, stderr := commanded("resume", "users", "user-7"); status != 0 || stderr != "users: partition \"user-7\" goes on\n" {
		t.Errorf("resume: status %d, %s", status, stderr)
	}
	if status, _, stderr := commanded("resume", "users", "user-8"); status != 1 || !strings.Contains(stderr, `"user-8" is not halted`) {
		t.Errorf("resume of what runs: status %d, %s", status, stderr)
	}
	if want := []string{"reload", "resume users user-7", "resume users user-8"}; !reflect.DeepEqual(h.told, want) {
		t.Errorf("the host was told %q, want %q", h.told, want)
	}
}

// past is a host with a history.
type past struct{ control.Host }

func (past) Plugin(context.Context, string) (control.Plugin, error) {
	at := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	live := control.Version{Digest: strings.Repeat("9f", 32), Source: "upcase.wasm", Size: 20 << 10, State: "live", Seen: at, Live: at.Add(time.Second)}
	bad := control.Version{Digest: strings.Repeat("0a", 32), Source: "a\nb", Size: 1, State: "rolled_back", Reason: "two\nlines", Seen: at}
	trial := control.Trial{
		Ends: at.Add(time.Hour), Live: control.Measures{Messages: 90, Failures: 9, Fuel: 900, Seconds: 0.09},
		Compared: 10, Differed: 1, Skipped: 2, Differences: []control.Difference{{EventID: "e1", Fields: []string{"data", "batcher"}}},
	}
	return control.Plugin{
		Pipeline: "users", Mode: "shadow", Live: live, Versions: []control.Version{bad, live},
		Rollout: &control.Rollout{Number: 7, Digest: live.Digest, Source: "v3.wasm", Mode: "shadow", Stage: "shadow", Began: at, Trial: &trial},
	}, nil
}

func TestHistory(t *testing.T) {
	inFolder(t, past{})
	const want = `pipeline   users
mode       shadow
rollout    7, v3.wasm (9f9f9f9f9f9f): shadow
trial      shadow, and lasts until 2026-11-25T10:30:00Z
live       90 messages, 9 failures (10.00 %), 1ms and 10 fuel a message
candidate  no messages yet
compared   10, of which 1 differ; 2 skipped
differs    event e1 in data, batcher

VERSION       STATE        SEEN                  LIVE                  SIZE      SOURCE       REASON
0a0a0a0a0a0a  rolled back  2026-11-25T09:30:00Z  -                     1 B       a\nb         two
9f9f9f9f9f9f  live         2026-11-25T09:30:00Z  2026-11-25T09:30:01Z  20.0 KiB  upcase.wasm  -
`
	if status, out, stderr := commanded("plugin", "history", "users"); status != 0 || out != want {
		t.Errorf("status %d, %s\n%s\nwant\n%s", status, stderr, out, want)
	}
	_, out, _ := commanded("plugin", "history", "users", "--json")
	var got control.Plugin
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if said, _ := (past{}).Plugin(t.Context(), "users"); !reflect.DeepEqual(got, said) {
		t.Errorf("--json is %s", out)
	}
}

// A command that is interrupted says that the rollout goes on.
func TestInterruptedRollout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := rollout{host: &rolling{}, pipeline: "users", number: 7, out: t.Output()}
	if err := f.follow(ctx); err == nil || !strings.Contains(err.Error(), "goes on in the host\nhint: relayhost plugin history users ") {
		t.Error(err)
	}
}

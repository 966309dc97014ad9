package journal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/relayhost/relayhost/host/journal"
	"github.com/relayhost/relayhost/host/message"
)

// childMain is what a process of a test does: it opens the journal in a folder
// and works until it is killed. It prints what was kept and what it settles.
func childMain(args []string) int {
	j, err := journal.Open(args[0], journal.Options{Fsync: journal.Fsync(args[1])})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	in, err := j.Inbox(journal.InboxOptions{Pipeline: "a", Remember: true})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	first, _ := strconv.Atoi(args[2])
	fmt.Println("open")
	for pull := range 1 << 30 {
		pulled := events(first+pull*10, 10)
		if err := in.Append(context.Background(), never, pulled); err != nil {
			fmt.Println("error", err)
			return 1
		}
		fmt.Println("kept", strings.Join(ids(pulled), " "))
		done := pulled[:5]
		fmt.Println("settle", strings.Join(ids(done), " "))
		settle(in, message.Outcome{}, done...)
	}
	return 0
}

// start runs childMain and returns its output.
func start(t *testing.T, dir string, fsync journal.Fsync, first int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir, string(fsync), strconv.Itoa(first))
	cmd.Env = append(os.Environ(), child+"=work")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := bufio.NewScanner(out)
	if !s.Scan() || s.Text() != "open" {
		t.Fatalf("the child says %q", s.Text())
	}
	return cmd, s
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, journal.Always, 0)
	_, err := journal.Open(dir, journal.Options{})
	if !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("a second process: %v", err)
	}
	if _, err := journal.Check(dir, journal.Options{}); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("check: %v", err)
	}
	own := t.TempDir()
	open(t, own, journal.Options{})
	if _, err := journal.Open(own, journal.Options{}); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("the same process: %v", err)
	}
}

// TestKill kills a process that works, again and again, with each policy: what it
// said was kept is there, unless it said that it was settled.
func TestKill(t *testing.T) {
	for _, fsync := range []journal.Fsync{journal.Always, journal.Interval, journal.Off} {
		t.Run(string(fsync), func(t *testing.T) {
			dir := t.TempDir()
			kept, settled := map[string]bool{}, map[string]bool{}
			for round := range 4 {
				cmd, out := start(t, dir, fsync, round*1_000_000)
				time.AfterFunc(time.Duration(20+rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				for out.Scan() {
					words := strings.Fields(out.Text())
					into := kept
					switch words[0] {
					case "error":
						t.Fatal(out.Text())
					case "settle":
						into = settled
					}
					for _, id := range words[1:] {
						into[id] = true
					}
				}
				_ = cmd.Wait()
			}
			j := open(t, dir, journal.Options{})
			unsettled, _, err := content(j)
			if err != nil {
				t.Fatal(err)
			}
			for id := range kept {
				if !unsettled[id] && !settled[id] {
					t.Errorf("%s is lost", id)
				}
			}
			if len(kept) == 0 {
				t.Error("the processes did nothing")
			}
		})
	}
}

package devserver_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"google.golang.org/grpc/credentials/insecure"

	"github.com/relayhost/relayhost/host/devserver"
	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

// childDir, in the environment, makes the test binary a server on that data
// directory that never stops by itself.
const childDir = "DEVSERVER_TEST_CHILD_DIR"

func serveUntilKilled(dir string) {
	s, err := devserver.New(devserver.Options{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Addr())
	err = s.Run(context.Background())
	fmt.Fprintln(os.Stderr, "stopped:", err)
	os.Exit(1)
}

// TestKillLosesNothingAcknowledged publishes and pulls until the server is
// killed, several times over, and wants every acknowledged event exactly once:
// delivered before the crash or there after it, but for the pull that was in
// flight.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	b, stop := start(t, devserver.Options{DataDir: dir})
	queue := b.topicAndQueue(t, "users")
	admin := b.AdminToken()
	stop()

	delivered := map[string]int{}
	published := 0
	for range 3 {
		addr, kill := startChild(t, dir)
		conn := dial(t, addr, insecure.NewCredentials())
		events := pb.NewEventsClient(conn)
		for range 5 {
			r := &pb.PublishEventsRequest{Topic: "users", Durable: true}
			for i := range 10 {
				r.Events = append(r.Events, event(published+i))
			}
			if _, err := events.PublishEvents(withToken(t, admin), r); err != nil {
				t.Fatal(err)
			}
			published += 10
			got, err := events.PullQueuedEvents(withToken(t, admin), &pb.PullQueuedEventsRequest{DestinationId: queue, BatchSize: 7})
			if err != nil {
				t.Fatal(err)
			}
			count(delivered, names(got.GetEvents()))
		}
		kill()
		conn.Close()
	}

	b, _ = start(t, devserver.Options{DataDir: dir})
	count(delivered, b.pull(t, queue, 1000))
	for i := range published {
		if n := delivered[fmt.Sprintf("e%d", i)]; n != 1 {
			t.Errorf("event %d was delivered %d times", i, n)
		}
	}
	r, err := b.events.PullEvents(b.admin(t), &pb.PullEventsRequest{Topic: "users", BatchSize: 1000})
	if err != nil || len(r.GetEvents()) != published || !slices.IsSortedFunc(r.GetEvents(), func(a, b *pb.Event) int {
		return int(a.GetOffset() - b.GetOffset())
	}) {
		t.Errorf("the log has %d events, want %d in order; %v", len(r.GetEvents()), published, err)
	}
}

func count(delivered map[string]int, names []string) {
	for _, name := range names {
		delivered[name]++
	}
}

// startChild runs a server in a process of its own; kill ends it with SIGKILL.
func startChild(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		c.Process.Kill()
		c.Wait()
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		kill()
		t.Fatal("the child did not start")
	}
	return lines.Text(), kill
}

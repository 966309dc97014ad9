package served

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// RSS is a process's resident memory in bytes.
func RSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	found := resident.FindSubmatch(status)
	if found == nil {
		return 0, errors.New("the system does not tell how much memory is resident")
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kilobytes << 10, err
}

// Idle is the resident memory of a host whose pipelines have nothing to do, and how
// long it took to start: until all of it is steady.
func (s *Server) Idle(ctx context.Context, c Setting) (rss int64, took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "relayhost-bench-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, err := s.configure(dir, c)
	if err != nil {
		return 0, 0, err
	}
	h, err := s.run(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	rss, took, err = h.settle()
	return rss, took, errors.Join(err, h.stop())
}

// settle waits until the memory has not grown by a hundredth for five seconds.
func (h *host) settle() (rss int64, took time.Duration, err error) {
	const steady, step = 5 * time.Second, 500 * time.Millisecond
	since := time.Now()
	for time.Since(since) < steady {
		now, err := RSS(h.process.Process.Pid)
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %s", err, h.errors.Bytes())
		}
		if now > rss+rss/100 {
			since = time.Now()
			took = since.Sub(h.began)
		}
		rss = max(rss, now)
		time.Sleep(step)
	}
	return rss, took, nil
}

package eventrelay_test

import (
	"slices"
	"testing"

	source "github.com/relayhost/relayhost/host/source/eventrelay"

	pb "github.com/relayhost/relayhost/proto/eventrelay"

	"google.golang.org/protobuf/proto"
)

func FuzzPage(f *testing.F) {
	f.Add(reply(1, 2), 1)
	f.Add(slices.Concat(reply(1, 2), []byte{2 << 3, 7}), 1000)
	f.Add([]byte{2 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 10)
	f.Add([]byte{2<<3 | 2, 200}, 10)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		events, total, err := source.DecodePage(raw, n)
		if err != nil {
			return
		}
		if events > max(n, 0) || total < int64(events) {
			t.Errorf("%d events of %d, asked for %d", events, total, n)
		}
		var r pb.PullEventsResponse
		if proto.Unmarshal(raw, &r) == nil && total != max(int64(r.GetTotalCount()), int64(events)) {
			t.Errorf("total %d, want %d", total, r.GetTotalCount())
		}
	})
}

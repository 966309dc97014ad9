package host_test

import (
	"context"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relayhost/relayhost/host/devserver"
)

// relay is the embedded server's Events service, called without a network.
type relay struct {
	methods map[string]grpc.MethodDesc
	service any
	roll    func(n int, what ...string) int
}

func newRelay(s *devserver.Server, roll func(n int, what ...string) int) *relay {
	r := &relay{methods: map[string]grpc.MethodDesc{}, roll: roll}
	s.RegisterEvents(r)
	return r
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *relay) RegisterService(desc *grpc.ServiceDesc, service any) {
	r.service = service
	for _, m := range desc.Methods {
		r.methods["/"+desc.ServiceName+"/"+m.MethodName] = m
	}
}

// perform does a call: the server has done its part when it returns.
func (r *relay) perform(method string, args any, reply any, options ...grpc.CallOption) error {
	request, err := proto.Marshal(args.(proto.Message))
	if err != nil {
		return err
	}
	decode := func(into any) error { return proto.Unmarshal(request, into.(proto.Message)) }
	answer, err := r.methods[method].Handler(r.service, context.Background(), decode, nil)
	if err != nil {
		if _, ok := status.FromError(err); !ok {
			err = status.Error(codes.Unknown, "Internal Server Error")
		}
		return err
	}
	raw, err := proto.Marshal(answer.(proto.Message))
	if err != nil {
		return err
	}
	for _, o := range options {
		if forced, ok := o.(grpc.ForceCodecV2CallOption); ok {
			return forced.CodecV2.Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, reply)
		}
	}
	return encoding.GetCodecV2("proto").Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, reply)
}

// wire is a process's connection, on which things go wrong.
type wire struct {
	grpc.ClientConnInterface
	relay  *relay
	life   *life
	faults bool
}

var (
	errISE = status.Error(codes.Unknown, "Internal Server Error")
	errCut = status.Error(codes.Unavailable, "connection reset by peer")
	err500 = status.Error(codes.Unknown, "unexpected HTTP status code received from server: 500 (Internal Server Error); malformed header: missing HTTP content-type")
)

// Invoke implements grpc.ClientConnInterface.
func (l *wire) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	fault := 100
	if l.faults {
		fault = l.relay.roll(30, "call", method)
	}
	time.Sleep(time.Duration(1+l.relay.roll(10, "way", method)) * time.Millisecond)
	switch {
	case l.life.dead.Load():
		return errCut
	case fault == 0:
		return errISE
	case fault == 1:
		return err500
	case fault == 2: // a query of over 5 s
		time.Sleep(5 * time.Second)
	}
	err := l.relay.perform(method, args, reply, options...)
	l.life.world.tell("", "%s %v, fault %d: %v", path.Base(method), args, fault, err)
	switch fault {
	case 2:
		return errISE
	case 3, 4: // cut after the lock
		return errCut
	case 5: // a trickle
		time.Sleep(time.Duration(l.relay.roll(3000, "trickle")) * time.Millisecond)
	}
	time.Sleep(time.Millisecond)
	switch {
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case l.life.dead.Load():
		return errCut
	}
	return err
}

// doomedDisk is a disk whose machine crashes just before one of the operations
// on it: between a write and its sync, for example.
type doomedDisk struct {
	vfs.FS
	step func()
}

func (d doomedDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.step()
	f, err := d.FS.Create(name, category)
	return doomedFile{f, d.step}, err
}

func (d doomedDisk) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.step()
	f, err := d.FS.ReuseForWrite(old, name, category)
	return doomedFile{f, d.step}, err
}

func (d doomedDisk) Rename(old, name string) error {
	d.step()
	return d.FS.Rename(old, name)
}

func (d doomedDisk) Remove(name string) error {
	d.step()
	return d.FS.Remove(name)
}

type doomedFile struct {
	vfs.File
	step func()
}

func (f doomedFile) Sync() error {
	f.step()
	return f.File.Sync()
}

func (f doomedFile) SyncData() error {
	f.step()
	return f.File.SyncData()
}

func (f doomedFile) SyncTo(n int64) (bool, error) {
	f.step()
	return f.File.SyncTo(n)
}

func (f doomedFile) Write(p []byte) (int, error) {
	f.step()
	return f.File.Write(p)
}

package plugin

import (
	"context"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tetratelabs/wazero/experimental"
)

// linearMemory is an instance's memory that can be put back to an earlier
// state: once frozen it is a private mapping of a file in memory, of which the
// kernel drops the changed pages.
type linearMemory struct {
	reserved []byte
	size     int
	frozen   int // how much of it is a mapping of the file
}

// withMemory returns a context in which an instance gets such a memory.
func withMemory(ctx context.Context) (context.Context, *linearMemory) {
	m := new(linearMemory)
	return experimental.WithMemoryAllocator(ctx, m), m
}

// Allocate implements [experimental.MemoryAllocator], for the one memory that a
// module has. What cannot be had makes a memory without room, and an instance
// that does not start.
func (m *linearMemory) Allocate(_, most uint64) experimental.LinearMemory {
	m.reserved, _ = unix.Mmap(-1, 0, int(max(most, 1)), //nolint:gosec // at most 4 GiB
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	return m
}

// Reallocate implements [experimental.LinearMemory].
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.reserved)) {
		return nil
	}
	m.size = int(size) //nolint:gosec // bounded
	return m.reserved[:size:size]
}

// Free implements [experimental.LinearMemory]. wazero does not call it for an
// instance that failed to start, so that it may be called again.
func (m *linearMemory) Free() {
	if m != nil && m.reserved != nil {
		_ = unix.Munmap(m.reserved) // a failure would leak address space, no more
		m.reserved = nil
	}
}

// freeze makes what the memory holds now the state to go back to.
func (m *linearMemory) freeze() bool {
	if m.size == 0 {
		return true
	}
	file, err := unix.MemfdCreate("relayhost", unix.MFD_CLOEXEC)
	if err != nil {
		return false
	}
	defer unix.Close(file) //nolint:errcheck // the mapping keeps it
	if unix.Ftruncate(file, int64(m.size)) != nil || !writePages(file, m.reserved[:m.size]) {
		return false
	}
	at := unsafe.Pointer(&m.reserved[0]) //nolint:gosec // where the file takes the memory's place
	_, err = unix.MmapPtr(file, 0, at, uintptr(m.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	m.frozen = m.size
	return err == nil
}

// pageSize is a page of WebAssembly's, which is one or more of the machine's.
const pageSize = 1 << pageBits

var zeroPage [pageSize]byte

// writePages leaves holes where a page is all zeros.
func writePages(file int, memory []byte) bool {
	for at := 0; at < len(memory); at += pageSize {
		page := memory[at : at+pageSize]
		if string(page) == string(zeroPage[:]) {
			continue
		}
		if n, err := unix.Pwrite(file, page, int64(at)); n != len(page) || err != nil {
			return false
		}
	}
	return true
}

// restore drops what was changed since.
func (m *linearMemory) restore() bool {
	return m.frozen == 0 || unix.Madvise(m.reserved[:m.frozen], unix.MADV_DONTNEED) == nil
}

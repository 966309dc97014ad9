package wasm

import "bytes"

// The identities of the sections, in the order of the format but for the
// data count, which comes before the code, and tags, before the globals.
const (
	sectionCustom byte = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sectionTag
)

// maxLocals bounds the locals of a function, as browsers do: an engine's work
// for them is not bounded by the module's size.
const maxLocals = 50_000

// maxCustoms bounds the custom sections, which compilers make a dozen of.
const maxCustoms = 10_000

var (
	magic   = []byte("\x00asm")
	version = []byte{1, 0, 0, 0}
)

// Decode reads a core module. The module aliases b.
func Decode(b []byte) (*Module, error) {
	r := NewReader(b, 0)
	header(r)
	m := new(Module)
	for last := byte(0); r.Len() > 0; {
		last = m.section(r, last)
	}
	if len(m.Functions) != len(m.Code) {
		r.Fail(ErrMalformed, "there are %d functions, but %d bodies", len(m.Functions), len(m.Code))
	}
	if m.DataCount != nil && int64(*m.DataCount) != int64(len(m.Data)) {
		r.Fail(ErrMalformed, "%d data segments are announced, but there are %d", *m.DataCount, len(m.Data))
	}
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

func header(r *Reader) {
	head := r.b[:min(8, len(r.b))]
	start := head[:min(4, len(head))]
	switch {
	case len(head) == 0:
		r.Fail(ErrNotModule, "the file is empty")
	case !bytes.HasPrefix(magic, start):
		r.Fail(ErrNotModule, "it begins with %q", start)
	case len(head) < 8:
		r.Fail(ErrTruncated, "the header ends")
	case head[6] == 1:
		r.Fail(ErrComponent, "the header says layer 1")
	case !bytes.Equal(head[4:], version):
		r.Fail(ErrNotModule, "the header says version 0x%x", head[4:])
	default:
		r.pos = 8
	}
}

// rank is a section's place in the module.
func rank(id byte) int {
	switch id {
	case sectionDataCount:
		return 2*int(sectionCode) - 1
	case sectionTag:
		return 2*int(sectionGlobal) - 1
	}
	return 2 * int(id)
}

// section reads the next section, which follows the one of identity last, and
// returns the identity of the section that the next one follows.
func (m *Module) section(r *Reader, last byte) byte {
	start := r.Offset()
	id := r.Byte()
	size := r.U32()
	offset := r.Offset()
	s := NewReader(r.Bytes(size), offset)
	if r.err != nil {
		return last
	}
	switch {
	case id > sectionTag:
		s.fail(start, ErrMalformed, "section %d is unknown", id)
	case id == sectionCustom && len(m.Customs) == maxCustoms:
		s.fail(start, ErrMalformed, "there are more than %d custom sections", maxCustoms)
	case id == sectionCustom:
		m.Customs = append(m.Customs, Custom{After: last, Name: s.Name(), Content: s.rest()})
		id = last
	case rank(id) <= rank(last):
		s.fail(start, ErrMalformed, "section %d comes after section %d", id, last)
	default:
		m.content(s, id)
	}
	if s.Len() > 0 {
		s.Fail(ErrMalformed, "section %d has %d bytes too many", id, s.Len())
	}
	if s.err != nil {
		r.err, r.pos = s.err, len(r.b)
	}
	return id
}

// fail is Fail with another offset.
func (r *Reader) fail(offset int, err error, format string, args ...any) {
	r.pos = offset - r.base
	r.Fail(err, format, args...)
}

func (r *Reader) rest() []byte { return r.Bytes(uint32(r.Len())) } //nolint:gosec // a section has at most 4 GiB

func (m *Module) content(r *Reader, id byte) {
	switch id {
	case sectionType:
		m.Types = vector(r, "types", 3, readFuncType)
	case sectionImport:
		m.Imports = vector(r, "imports", 4, readImport)
	case sectionFunction:
		m.Functions = vector(r, "functions", 1, (*Reader).U32)
	case sectionTable:
		m.Tables = vector(r, "tables", 3, readTableType)
	case sectionMemory:
		m.Memories = vector(r, "memories", 2, readLimits)
	case sectionGlobal:
		m.Globals = vector(r, "globals", 4, readGlobal)
	case sectionExport:
		m.Exports = vector(r, "exports", 3, readExport)
		m.checkExports(r)
	case sectionStart:
		m.Start = new(r.U32())
	case sectionElement:
		m.Elements = vector(r, "element segments", 2, readElement)
	case sectionCode:
		m.Code = vector(r, "bodies", 3, readCode)
	case sectionData:
		m.Data = vector(r, "data segments", 2, readData)
	case sectionDataCount:
		m.DataCount = new(r.U32())
	case sectionTag:
		r.Fail(ErrUnsupported, "exception tags")
	}
}

// checkExports refuses a name that is exported twice, so that whoever looks an
// export up sees the one that an engine sees.
func (m *Module) checkExports(r *Reader) {
	seen := make(map[string]bool, len(m.Exports))
	for _, e := range m.Exports {
		if seen[e.Name] {
			r.Fail(ErrMalformed, "the name %.80q is exported twice", e.Name)
		}
		seen[e.Name] = true
	}
}

package abi

import "unicode/utf8"

// ResultView is a [MessageResult] as it lies in its frame. Its texts alias the
// frame, so that reading one allocates nothing, and a host can have the same view
// read one frame after another.
type ResultView struct {
	Changes

	Index     uint32
	Status    Status
	Retryable bool
	OnFailure OnFailure
	Reason    []byte
}

// Changes is what a result and an [Output] have in common. What is nil, or not
// set, stays as it is.
type Changes struct {
	Data, Batcher, BatchKey []byte
	BatchMode               BatchMode
	SetBatchMode            bool
}

// Read reads a frame that [MessageResult.Append] or any protobuf library wrote
// into an empty view. It calls output for each of [MessageResult.Outputs],
// in the frame's order. It stops at the first error, of the frame or of a call, and
// returns it.
func (v *ResultView) Read(b []byte, output func(Changes) error) (err error) {
	var f field
	for len(b) > 0 && err == nil {
		if b, err = f.next(b); err != nil {
			break
		}
		if f.is(10, wireBytes) {
			err = readOutput(f.bytes, output)
		} else {
			err = v.set(&f)
		}
	}
	return err
}

func readOutput(b []byte, output func(Changes) error) (err error) {
	var c Changes
	var f field
	for len(b) > 0 && err == nil {
		if b, err = f.next(b); err == nil {
			err = c.set(&f, 1)
		}
	}
	if err != nil {
		return err
	}
	return output(c)
}

func (v *ResultView) set(f *field) (err error) {
	switch {
	case f.num >= 5 && f.num <= 8:
		return v.Changes.set(f, 5)
	case f.is(1, wireVarint):
		v.Index, err = f.uint32()
	case f.is(2, wireVarint):
		var status uint8
		status, err = f.enum(uint8(StatusFailed))
		v.Status = Status(status)
	case f.is(3, wireBytes):
		v.Reason, err = f.utf8()
	case f.is(4, wireVarint):
		v.Retryable = f.value != 0
	case f.is(9, wireVarint):
		var action uint8
		action, err = f.enum(uint8(OnFailureDrop))
		v.OnFailure = OnFailure(action)
	}
	return err
}

// set takes one of the fields, which are numbered from first on.
func (c *Changes) set(f *field, first uint64) (err error) {
	switch {
	case f.is(first, wireBytes):
		c.Data = f.bytes
	case f.is(first+1, wireBytes):
		c.Batcher, err = f.utf8()
	case f.is(first+2, wireBytes):
		c.BatchKey, err = f.utf8()
	case f.is(first+3, wireVarint):
		var mode uint8
		mode, err = f.enum(uint8(BatchModeFlush))
		c.BatchMode, c.SetBatchMode = BatchMode(mode), true
	}
	return err
}

func (v *ResultView) result() MessageResult {
	o := v.output()
	return MessageResult{
		Index: v.Index, Status: v.Status, Reason: string(v.Reason), Retryable: v.Retryable, OnFailure: v.OnFailure,
		Data: o.Data, Batcher: o.Batcher, BatchKey: o.BatchKey, BatchMode: o.BatchMode,
	}
}

func (c *Changes) output() Output {
	o := Output{Data: c.Data, Batcher: optional(c.Batcher), BatchKey: optional(c.BatchKey)}
	if c.SetBatchMode {
		mode := c.BatchMode
		o.BatchMode = &mode
	}
	return o
}

func optional(text []byte) *string {
	if text == nil {
		return nil
	}
	s := string(text)
	return &s
}

// next reads the first field of b, and returns what follows it: nextField for a
// field that stays where it is, and quick where key and value, or length, have a
// byte each, which is 2 % of a call.
func (f *field) next(b []byte) (rest []byte, err error) {
	if len(b) < 2 || b[0] >= 1<<7 || b[0] < 1<<3 || b[1] >= 1<<7 {
		*f, rest, err = nextField(b)
		return rest, err
	}
	f.num, f.wire = uint64(b[0]>>3), b[0]&7
	end := 2 + int(b[1])
	switch {
	case f.wire == wireVarint:
		f.value = uint64(b[1])
		return b[2:], nil
	case f.wire == wireBytes && end <= len(b):
		f.bytes = b[2:end:end]
		return b[end:], nil
	}
	*f, rest, err = nextField(b)
	return rest, err
}

func (f *field) utf8() ([]byte, error) {
	if !utf8.Valid(f.bytes) {
		return nil, f.malformed("is not UTF-8")
	}
	return f.bytes, nil
}

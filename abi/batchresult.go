package abi

import "encoding/binary"

// Record is one output of handle_batch, for the batcher's sink.
type Record struct {
	Data []byte
}

// BatchResult is the output of handle_batch, prepare_messages and
// handle_failed.
type BatchResult struct {
	// Results holds one item for every message of the batch, in any order; of
	// handle_failed, for each message that it has a say about. None of them may
	// have Outputs.
	Results []MessageResult
	// Records is what the sink delivers, in this order.
	Records []Record
}

// Append writes the frame at the end of dst.
func (r BatchResult) Append(dst []byte) []byte {
	for i := range r.Results {
		dst = AppendResult(dst, r.Results[i])
	}
	for i := range r.Records {
		dst = AppendRecord(dst, r.Records[i].Data)
	}
	return dst
}

// AppendResult writes one item of [BatchResult.Results] at the end of dst. A
// batch's frame is its items one after another, in any order, so a kit can
// write it as it goes.
func AppendResult(dst []byte, r MessageResult) []byte {
	dst = appendKey(dst, 1, wireBytes)
	dst = binary.AppendUvarint(dst, uint64(r.Size())) //nolint:gosec // a length
	return r.Append(dst)
}

// AppendOK writes the item that says of the message at index that it is ok, and
// changes nothing: [AppendResult] of nothing but an Index.
func AppendOK(dst []byte, index uint32) []byte {
	dst = append(dst, 1<<3|wireBytes, byte(sizeVarint(uint64(index))))
	return appendVarint(dst, 1, uint64(index))
}

// AppendRecord writes one item of [BatchResult.Records] at the end of dst.
func AppendRecord(dst, data []byte) []byte {
	dst = appendKey(dst, 2, wireBytes)
	dst = binary.AppendUvarint(dst, uint64(sizeBytes(len(data)))) //nolint:gosec // a length
	return appendBytes(dst, 1, data)
}

// ParseBatchResult reads a frame that [BatchResult.Append] or any protobuf
// library wrote. What it allocates may be many times the frame's length; for
// what a guest returned, the host uses [WalkBatchResult]. A result with outputs
// is refused.
func ParseBatchResult(b []byte) (r BatchResult, err error) {
	err = WalkBatchResult(b,
		func(v ResultView) error { r.Results = append(r.Results, v.result()); return nil },
		func(record Record) error { r.Records = append(r.Records, record); return nil })
	return r, err
}

// WalkBatchResult reads a frame as [ParseBatchResult] does, and calls result and
// record for each item, in the frame's order. It stops at the first
// error, of the frame or of a call, and returns it.
func WalkBatchResult(b []byte, result func(ResultView) error, record func(Record) error) (err error) {
	var f field
	for len(b) > 0 && err == nil {
		if b, err = f.next(b); err != nil {
			break
		}
		switch {
		case f.is(1, wireBytes):
			var v ResultView
			if err = v.Read(f.bytes, refuseOutput); err == nil {
				err = result(v)
			}
		case f.is(2, wireBytes):
			var r Record
			if r, err = parseRecord(f.bytes); err == nil {
				err = record(r)
			}
		}
	}
	return err
}

// refuseOutput is for a result of a batch, which has no outputs.
func refuseOutput(Changes) error {
	return field{num: 10}.malformed("is in a batch's result: only handle_message has outputs")
}

func parseRecord(b []byte) (r Record, err error) {
	var f field
	for len(b) > 0 && err == nil {
		if f, b, err = nextField(b); err == nil && f.is(1, wireBytes) {
			r.Data = f.bytes
		}
	}
	return r, err
}

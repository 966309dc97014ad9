// Package abi is the contract between relayhost and a plugin, in Go: the names
// of a plugin's exports and imports, the status codes, and the codec of the
// frames that cross the boundary. SPEC.md beside this file is the contract in
// prose, for any language; proto/relayhost/abi_v1.proto is the frames' schema.
//
// A host starts with [Message.Append] and [ParseMessageResult], a plugin kit
// with [ParseMessage] and [MessageResult.Append]; both sides of every frame are
// here, so that they can be tested against each other.
//
// # Ownership
//
// Parse functions alias their input: what they return is valid as long as the
// bytes they were given are. Append functions copy.
//
// # Hostile input
//
// Every Parse function accepts any bytes: it returns an error that wraps
// [ErrFrame] for what is not a frame, and never panics.
package abi

// Exports of a plugin. SPEC.md gives their signatures.
const (
	ExportMarker        = "relay_abi_v1"
	ExportMemory        = "memory"
	ExportBuffer        = "relay_buffer"
	ExportHandleMessage = "handle_message"
	ExportHandleBatch   = "handle_batch"
	ExportPrepare       = "prepare_messages"
	ExportFailed        = "handle_failed"
	ExportConfigure     = "configure"
	ExportTeardown      = "teardown"
	ExportInitialize    = "_initialize"
)

// Imports that the host offers a plugin, beside wasi_snapshot_preview1.
const (
	ImportModule = "relay_v1"
	ImportLog    = "log"
	ImportWASI   = "wasi_snapshot_preview1"
)

// Log levels, the first parameter of the log import.
const (
	LogDebug int32 = iota
	LogInfo
	LogWarn
	LogError
)

// Status says whether a message was handled.
type Status uint8

// The values of [Status].
const (
	StatusOK     Status = 0
	StatusFailed Status = 1
)

// BatchMode says whether a message waits for its batch to fill.
type BatchMode uint8

// The values of [BatchMode].
const (
	BatchModeBulk  BatchMode = 0
	BatchModeFlush BatchMode = 1
)

// OnFailure says what becomes of a message that failed.
type OnFailure uint8

// The values of [OnFailure].
const (
	// OnFailureAsConfigured leaves it to the pipeline's configuration.
	OnFailureAsConfigured OnFailure = 0
	// OnFailureRetry tries it again, if the failure is retryable.
	OnFailureRetry OnFailure = 1
	// OnFailureDeadLetter keeps it aside, with its reason.
	OnFailureDeadLetter OnFailure = 2
	// OnFailureHaltPartition has it and those behind it in its partition wait.
	OnFailureHaltPartition OnFailure = 3
	// OnFailureDrop gives it up.
	OnFailureDrop OnFailure = 4
)

// MaxBatchKey is how long a batch_key may be, in bytes.
const MaxBatchKey = 1 << 10

// Trigger says why a batch was emitted.
type Trigger uint8

// The values of [Trigger].
const (
	TriggerSize    Trigger = 0
	TriggerTimeout Trigger = 1
	TriggerFlush   Trigger = 2
)

// Pack makes a handler's return value of the output's address and length.
func Pack(ptr, length uint32) uint64 { return uint64(ptr)<<32 | uint64(length) }

// Unpack splits a handler's return value into the output's address and length.
func Unpack(packed uint64) (ptr, length uint32) {
	return uint32(packed >> 32), uint32(packed) //nolint:gosec // the cut is the format
}

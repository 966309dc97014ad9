package message

// Stage is where a pipeline's slot is, and so which calls it gets.
type Stage uint8

// The stages: prepare_messages and handle_message, handle_batch, handle_failed.
const (
	StageProcessors Stage = iota
	StageBatchers
	StageFailures
)

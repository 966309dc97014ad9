package plugin

// State says what a call finds of those before it.
type State string

// The states. The zero value is StateReuse.
const (
	// StateReuse: an instance is kept from call to call, with what it has in its
	// memory, as long as no call fails.
	StateReuse State = "reuse"
	// StateMessage: every call begins with the state that configure left.
	StateMessage State = "message"
)

package message

// Kind says how a message ended, or what ended it.
type Kind uint8

// The kinds. OK is the only success; each other kind names who failed the
// message.
const (
	// OK: handled and, with batchers, delivered.
	OK Kind = iota
	// Handler: the plugin said so, with its reason.
	Handler
	// Trap: the guest trapped, and its instance is gone.
	Trap
	// Deadline: the call took too long, and the instance is gone.
	Deadline
	// Fuel: the call used up its fuel, and the instance is gone.
	Fuel
	// Memory: the guest gave up when it could have no more memory, and its
	// instance is gone.
	Memory
	// Exit: the guest called proc_exit, and its instance is gone.
	Exit
	// ABI: the guest's answer breaks the contract of abi/SPEC.md.
	ABI
	// Routing: no batcher has the name that the plugin gave.
	Routing
	// Missing: handle_batch returned no result for the message.
	Missing
	// Sink: the batch's output could not be delivered.
	Sink
	// Unavailable: no instance of the plugin could be had.
	Unavailable
)

var kindNames = [...]string{
	OK: "ok", Handler: "handler", Trap: "trap", Deadline: "deadline", Fuel: "fuel", Memory: "memory", Exit: "exit", ABI: "abi",
	Routing: "routing", Missing: "missing", Sink: "sink", Unavailable: "unavailable",
}

// Kinds lists every kind, in order.
func Kinds() []Kind {
	kinds := make([]Kind, len(kindNames))
	for i := range kinds {
		kinds[i] = Kind(i) //nolint:gosec // few
	}
	return kinds
}

// String is the kind's name in logs, metrics and outputs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Outcome is how a message ended. The zero value is success.
type Outcome struct {
	Kind Kind
	// Reason says for people why it failed. It may hold text of the guest.
	Reason string
	// Trace is the guest's call stack where it trapped, if it did.
	Trace string
	// Retryable says that another attempt may go better.
	Retryable bool
	// Action is what becomes of a message that failed for good; in what a batch
	// handler returns, what it wants to become of one that fails, now or when the
	// batch is delivered.
	Action OnFailure
}

// OK reports whether the message succeeded.
func (o Outcome) OK() bool { return o.Kind == OK }

// Failed is an outcome of kind k.
func Failed(k Kind, reason string) Outcome { return Outcome{Kind: k, Reason: reason} }

// Patch is what handle_message returns: an outcome and, if it is a success,
// the changes to the message.
type Patch struct {
	Outcome
	// Data replaces the message's data; nil leaves it. The message keeps it.
	Data                              []byte
	Batcher, BatchKey                 string
	Flush                             bool
	SetBatcher, SetBatchKey, SetFlush bool
	// OnFailure is what becomes of the message if it fails, now or later.
	OnFailure OnFailure
	// Outputs go on in the message's place, if there are any; the message
	// settles when all of them have.
	Outputs []Output
}

// Output is one of several messages that a handler makes of one. What it does
// not set is as in the message.
type Output struct {
	Data                              []byte
	Batcher, BatchKey                 string
	Flush                             bool
	SetBatcher, SetBatchKey, SetFlush bool
}

// OnFailure says what becomes of a message that failed.
type OnFailure uint8

// The actions.
const (
	// AsConfigured: what the pipeline's configuration says.
	AsConfigured OnFailure = iota
	// Retry: a retryable failure is tried again, up to the configured limit.
	Retry
	// DeadLetter: the message is kept aside, with its reason.
	DeadLetter
	// HaltPartition: the message and those behind it in its partition wait.
	HaltPartition
	// Drop: the message is given up; it is counted, and no more.
	Drop
	// Unlock: the source is to deliver the message anew, to whoever pulls next.
	Unlock
)

var onFailureNames = [...]string{
	AsConfigured: "", Retry: "retry", DeadLetter: "dead_letter", HaltPartition: "halt_partition", Drop: "drop", Unlock: "unlock",
}

// String is the action's name in configurations, logs and metrics.
func (a OnFailure) String() string {
	if int(a) < len(onFailureNames) {
		return onFailureNames[a]
	}
	return "unknown"
}

// ParseOnFailure is the action of a name.
func ParseOnFailure(name string) (OnFailure, bool) {
	for i, n := range onFailureNames {
		if n == name {
			return OnFailure(i), true //nolint:gosec // few
		}
	}
	return AsConfigured, false
}

// Failure is a message that failed for good, and why.
type Failure struct {
	Message *Message
	Outcome Outcome
	// Plugin is the digest of the plugin version whose handle_failed was called
	// with it, which says so; empty before.
	Plugin string
}

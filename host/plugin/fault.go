package plugin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/relayhost/relayhost/host/message"
	"github.com/relayhost/relayhost/host/plugin/meter"
)

const (
	// maxReason bounds the text of a failure, in bytes.
	maxReason = 1 << 10
	// maxFrames is how many calls of a guest's stack a reason names.
	maxFrames = 5
	// maxTrace is how many a trace has.
	maxTrace = 32
)

// fault is why a call failed so that its instance must go.
type fault struct {
	kind   message.Kind
	reason string
	trace  string // the guest's calls, innermost first
}

func (f *fault) outcome() message.Outcome {
	// A plugin that rests has not seen the message.
	return message.Outcome{Kind: f.kind, Reason: f.reason, Trace: f.trace, Retryable: f.kind == message.Unavailable}
}

// unavailable is the fault of a message that no call was made for.
func unavailable(last *fault) *fault {
	return &fault{kind: message.Unavailable, reason: "the call was not made, since the plugin fails all the time: " + last.reason}
}

// during says at which step of an instance's life the fault happened.
func (f *fault) during(step string) *fault {
	return &fault{kind: f.kind, reason: step + ": " + f.reason, trace: f.trace}
}

// breach is a fault of a guest that breaks the contract.
func breach(format string, args ...any) *fault {
	return &fault{kind: message.ABI, reason: printable(fmt.Sprintf(format, args...), maxReason)}
}

// failure is the fault of an error that wazero returned from a call.
func failure(err error) *fault {
	if exit, ok := errors.AsType[*sys.ExitError](err); ok {
		return &fault{kind: message.Exit, reason: fmt.Sprintf("the plugin called proc_exit(%d)", exit.ExitCode())}
	}
	reason, stack := trap(err)
	return &fault{kind: trapKind(err), reason: trapReason(reason, stack), trace: trapTrace(stack)}
}

// trapKind tells the meter's ends of a call from the guest's own.
func trapKind(err error) message.Kind {
	switch {
	case errors.Is(err, meter.ErrFuel):
		return message.Fuel
	case errors.Is(err, meter.ErrDeadline), errors.Is(err, meter.ErrInterrupted):
		return message.Deadline
	}
	return message.Trap
}

// trap cuts wazero's error into its reason, which is the first part, and its
// stack, whose lines are like ".name(i32,i32) i64", innermost call first.
func trap(err error) (reason string, stack []string) {
	reason, below, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n\t")
	below, _, _ = strings.Cut(below, "\n\n") // a stack of Go's may follow
	if strings.HasPrefix(below, meter.Reserved) {
		below = afterLine(afterLine(below)) // the meter's own two
	}
	for line := range strings.SplitSeq(below, "\n\t") {
		if call := strings.TrimPrefix(line, "."); strings.Contains(call, "(") {
			stack = append(stack, call)
		}
	}
	return strings.TrimSuffix(reason, " (recovered by wazero)"), stack
}

func afterLine(text string) string {
	_, rest, _ := strings.Cut(text, "\n\t")
	return rest
}

// trapReason is one bounded line that names the innermost calls.
func trapReason(reason string, stack []string) string {
	var names []string
	for _, call := range stack {
		if len(names) == maxFrames {
			names = append(names, "…")
			break
		}
		name, _, _ := strings.Cut(call, "(")
		names = append(names, name)
	}
	if len(names) > 0 {
		reason += " in " + strings.Join(names, " < ")
	}
	return printable(reason, maxReason)
}

// trapTrace is a line for each call.
func trapTrace(stack []string) string {
	lines := make([]string, 0, min(len(stack), maxTrace))
	for _, call := range stack[:min(len(stack), maxTrace)] {
		lines = append(lines, printable(call, maxType))
	}
	return strings.Join(lines, "\n")
}

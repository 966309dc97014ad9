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
)

// fault is why a call failed so that its instance must go.
type fault struct {
	kind   message.Kind
	reason string
}

func (f *fault) outcome() message.Outcome {
	// A plugin that rests has not seen the message.
	return message.Outcome{Kind: f.kind, Reason: f.reason, Retryable: f.kind == message.Unavailable}
}

// unavailable is the fault of a message that no call was made for.
func unavailable(last *fault) *fault {
	return &fault{kind: message.Unavailable, reason: "the call was not made, since the plugin fails all the time: " + last.reason}
}

// during says at which step of an instance's life the fault happened.
func (f *fault) during(step string) *fault {
	return &fault{kind: f.kind, reason: step + ": " + f.reason}
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
	return &fault{kind: trapKind(err), reason: trapReason(err)}
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

// trapReason makes one bounded line of wazero's error, which is the reason and
// below it the stack, innermost call first.
func trapReason(err error) string {
	reason, stack, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n\t")
	reason = strings.TrimSuffix(reason, " (recovered by wazero)")
	if frames := frameNames(stack); len(frames) > 0 {
		reason += " in " + strings.Join(frames, " < ")
	}
	return printable(reason, maxReason)
}

// frameNames cuts the function names out of lines like ".name(i32,i32) i64".
func frameNames(stack string) []string {
	stack, _, _ = strings.Cut(stack, "\n\n") // a stack of Go's may follow
	if strings.HasPrefix(stack, meter.Reserved) {
		stack = afterLine(afterLine(stack)) // the meter's own two
	}
	var names []string
	for line := range strings.SplitSeq(stack, "\n\t") {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "."), "(")
		if !ok {
			continue
		}
		if len(names) == maxFrames {
			return append(names, "…")
		}
		names = append(names, name)
	}
	return names
}

func afterLine(text string) string {
	_, rest, _ := strings.Cut(text, "\n\t")
	return rest
}

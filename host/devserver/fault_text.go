package devserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultMethods are the methods that a fault may strike.
var faultMethods = []string{"PullQueuedEvents", "PullEvents", "PublishEvents", "UnLockQueuedEvents"}

// ParseFault reads a fault as the command line has it: its kind, and after a
// colon what differs from the defaults.
//
//	cut:probability=0.05,method=PullQueuedEvents,count=3
//	stall:duration=2s
func ParseFault(text string) (Fault, error) {
	kind, settings, more := strings.Cut(text, ":")
	f := Fault{Kind: FaultKind(kind)}
	if !slices.Contains(FaultKinds, f.Kind) {
		return Fault{}, fmt.Errorf("no fault is called %.64q\nhint: there are %s", kind, join(FaultKinds))
	}
	if !more {
		return f, nil
	}
	for setting := range strings.SplitSeq(settings, ",") {
		name, value, _ := strings.Cut(setting, "=")
		if err := f.set(name, value); err != nil {
			return Fault{}, fmt.Errorf("fault %s: %w", kind, err)
		}
	}
	return f, nil
}

func (f *Fault) set(name, value string) (err error) {
	switch name {
	case "probability":
		f.Probability, err = strconv.ParseFloat(value, 64)
		if err != nil || !(f.Probability > 0 && f.Probability <= 1) {
			return fmt.Errorf("probability is %.64q, and must be above 0 and at most 1", value)
		}
	case "count":
		f.Count, err = strconv.Atoi(value)
		if err != nil || f.Count < 1 {
			return fmt.Errorf("count is %.64q, and must be a number above 0", value)
		}
	case "duration":
		f.Duration, err = time.ParseDuration(value)
		if err != nil || f.Duration <= 0 || f.Duration > time.Hour {
			return fmt.Errorf("duration is %.64q, and must be like 500ms or 5s, up to 1h", value)
		}
	case "method":
		if !slices.Contains(faultMethods, value) || f.Kind == Late && value != "PublishEvents" {
			return fmt.Errorf("method is %.64q, and must be one of %s; for %s it must be PublishEvents", value, join(faultMethods), Late)
		}
		f.Methods = append(f.Methods, value)
	default:
		return fmt.Errorf("it has no %.64q\nhint: it may have probability, count, duration and method", name)
	}
	return nil
}

func join[T ~string](words []T) string {
	text := ""
	for _, w := range words {
		text += ", " + string(w)
	}
	return text[2:]
}

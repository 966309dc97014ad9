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

func (f *Fault) set(name, value string) error {
	var ok bool
	var wants string
	switch name {
	case "probability":
		wants = "must be above 0 and at most 1"
		f.Probability, ok = parsed(strconv.ParseFloat(value, 64))
		ok = ok && f.Probability > 0 && f.Probability <= 1
	case "count":
		wants = "must be a number above 0"
		f.Count, ok = parsed(strconv.Atoi(value))
		ok = ok && f.Count > 0
	case "duration":
		wants = "must be like 500ms or 5s, up to 1h"
		f.Duration, ok = parsed(time.ParseDuration(value))
		ok = ok && f.Duration > 0 && f.Duration <= time.Hour
	case "method":
		wants = "must be one of " + join(faultMethods) + "; for late it must be PublishEvents"
		f.Methods, ok = append(f.Methods, value), f.mayStrike(value)
	default:
		return fmt.Errorf("it has no %.64q\nhint: it may have probability, count, duration and method", name)
	}
	if !ok {
		return fmt.Errorf("%s is %.64q, and %s", name, value, wants)
	}
	return nil
}

// parsed is a parser's result, and whether there is one.
func parsed[T any](v T, err error) (T, bool) { return v, err == nil }

func (f *Fault) mayStrike(method string) bool {
	if f.Kind == Late {
		return method == "PublishEvents"
	}
	return slices.Contains(faultMethods, method)
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// Command crash is the crash test's plugin: every seventh event fails at its
// first attempts, every fiftieth for good, and every seventy-fifth traps. The
// others come out with their numbers.
package main

import (
	"errors"
	"strconv"

	relay "github.com/relayhost/relayhost/pdk/go"
)

func init() {
	relay.HandleMessage(handle)
	relay.HandleBatch(write)
}

func main() {}

func handle(m *relay.Message) error {
	text := string(m.Data())
	n, err := strconv.Atoi(text[len(`{"n":`) : len(text)-1])
	switch {
	case err != nil:
		return err
	case n%75 == 0:
		panic("as every seventy-fifth")
	case n%50 == 0:
		return errors.New("as every fiftieth")
	case n%7 == 0 && m.Attempt() < 3:
		return relay.Retryable(errors.New("as every seventh"))
	}
	m.SetData([]byte(strconv.Itoa(n)))
	return nil
}

// write emits a line for each message.
func write(b *relay.Batch) error {
	for _, m := range b.Messages() {
		b.Emit(m.Data())
	}
	return nil
}

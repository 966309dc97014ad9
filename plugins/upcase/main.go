// Command upcase is the first plugin of relayhost: it upper-cases the first
// name of the person that an event tells of, and announces every batch of such
// names.
package main

import (
	"bytes"
	"strconv"

	relay "github.com/relayhost/relayhost/pdk/go"
)

func init() {
	relay.HandleMessage(upcase)
	relay.HandleBatch(announce)
}

// main is never needed: the handlers are registered by init.
func main() {}

// upcase puts the upper-cased person.first_name in place of the message's data.
func upcase(m *relay.Message) error {
	name, err := relay.JSON(m.Data()).Get("person", "first_name").Text()
	if err != nil {
		return err
	}
	m.SetData(bytes.ToUpper([]byte(name)))
	return nil
}

// announce emits one record that lists the batch's data.
func announce(b *relay.Batch) error {
	line := []byte("Got batch of finished jobs from processors.: [")
	for i, m := range b.Messages() {
		if i > 0 {
			line = append(line, ", "...)
		}
		line = strconv.AppendQuote(line, string(m.Data()))
	}
	b.Emit(append(line, ']'))
	return nil
}

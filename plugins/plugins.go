// Package plugins holds relayhost's own plugins, compiled, so that a host can
// run them without a source tree or a compiler beside it. [Upcase] is the one
// that the demo runs.
//
// The .wasm files are built from the folders of their names by
//
//	CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm go build -C plugins/upcase -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w' -o upcase.wasm .
//
// and committed. The same Go version builds the same bytes everywhere.
package plugins

import _ "embed" // for the modules

// Upcase is the module of the plugin upcase. Its handle_message puts the
// upper-cased person.first_name of an event in place of the message's data; its
// handle_batch emits one record that lists a batch's data, for example
//
//	Got batch of finished jobs from processors.: ["BILL", "BETTY"]
//
// It must not be written to.
//
//go:embed upcase/upcase.wasm
var Upcase []byte

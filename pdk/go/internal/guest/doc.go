// Package guest is the plugin's side of the ABI's calls: the buffer that the
// host writes to, and the handlers' parameters and return values. A package
// that imports it gives the module an export by a function with
// //go:wasmexport that returns what Call returns.
package guest

//go:build wasip1

package relay

//go:wasmimport relay_v1 log
func writeLog(level int32, line string)

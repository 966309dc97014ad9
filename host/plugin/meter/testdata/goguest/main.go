// Command goguest is work for the meter's tests and benchmarks: what handlers
// do, with Go's own library.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"sort"
	"strings"
)

const event = `{"person":{"first_name":"Bill","last_name":"Roberts","twitter_url":"https://twitter.com/billroberts",` +
	`"tags":["a","b",{"c":[1,2.5,-3e7,true,null]}],"uuid":"7ea8e8b4-8b5e-4c9e-a6b1-3f0a3a2f6a01"}}`

var (
	block  = []byte(strings.Repeat("relayhost", 7000))
	number = regexp.MustCompile(`[0-9a-f]{4}-([0-9a-f]+)-`)
)

//go:wasmexport run_json
func runJSON(n uint32) uint32 {
	sum := 0
	for range n {
		var v any
		if err := json.Unmarshal([]byte(event), &v); err != nil {
			panic(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		sum += len(out)
	}
	return uint32(sum)
}

//go:wasmexport run_hash
func runHash(n uint32) (sum uint32) {
	for range n {
		digest := sha256.Sum256(block)
		sum = sum<<1 ^ uint32(digest[0])
	}
	return sum
}

//go:wasmexport run_sort
func runSort(n uint32) (sum uint32) {
	for i := range n {
		values := make([]int, 2000)
		seed := i + 1
		for j := range values {
			seed = seed*1664525 + 1013904223
			values[j] = int(seed >> 8)
		}
		sort.Ints(values)
		sum += uint32(values[1000])
	}
	return sum
}

//go:wasmexport run_regexp
func runRegexp(n uint32) (sum uint32) {
	for range n {
		for _, found := range number.FindAllStringSubmatch(event, -1) {
			sum += uint32(len(found[1]))
		}
	}
	return sum
}

func main() {}

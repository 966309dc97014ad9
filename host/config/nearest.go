package config

// nearest is the candidate that a misspelt word most likely means, or "" if
// none is within a third of the word's length, rounded up.
func nearest(word string, candidates []string) string {
	best, limit := "", (len(word)+2)/3
	if len(word) > longestName {
		return ""
	}
	for _, candidate := range candidates {
		if d := distance(word, candidate); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// distance counts the insertions, removals and replacements of bytes that lead
// from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

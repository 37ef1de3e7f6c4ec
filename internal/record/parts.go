package record

import "runtime"

// worthIt is how many bytes a part has at least: reading them takes a good
// fraction of a millisecond, starting a goroutine next to nothing.
const worthIt = 1 << 20

// Parts cuts text into parts of whole lines, about as many as there are cores:
// one where it is short. One of several may be empty.
func Parts(text []byte) [][]byte {
	return split(text, max(1, min(runtime.GOMAXPROCS(0), len(text)/worthIt)))
}

func split(text []byte, n int) (parts [][]byte) {
	for ; n > 1; n-- {
		at := len(text) / n
		at += len(FirstLine(text[at:]))
		parts = append(parts, text[:at])
		text = text[at:]
	}
	return append(parts, text)
}

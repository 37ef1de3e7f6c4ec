package lint

import "github.com/registryctl/registryctl/internal/charset"

// Listed returns the names of those who are listed, for the test that compares
// the findings with what the servers do.
func Listed(text []byte) map[string][]int {
	names := make(map[string][]int)
	if _, ok := charset.UTF16Order(string(text)); ok {
		return names // which no server reads
	}
	for _, p := range listed(string(text)) {
		names[p.name] = append(names[p.name], p.line)
	}
	return names
}

// TrimName is how Fix mends a name.
var TrimName = trimName

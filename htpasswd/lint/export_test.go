package lint

import "github.com/registryctl/registryctl/internal/charset"

// Listed returns the names of those who are listed and not disabled, with the numbers of their
// lines, for the test that compares the findings with what the servers do.
func Listed(text string) map[string][]int {
	names := make(map[string][]int)
	if _, ok := charset.UTF16Order(text); ok {
		return names // which no server reads
	}
	for p := range pieces(text) {
		if p.isListed() && !isDisabled(p.hash) {
			names[p.name] = append(names[p.name], p.line)
		}
	}
	return names
}

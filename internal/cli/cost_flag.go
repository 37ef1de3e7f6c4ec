package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// costFlag is --cost: of the hashes to make.
type costFlag struct {
	value int
	given bool
}

func (c *costFlag) String() string { return strconv.Itoa(c.value) }
func (c *costFlag) Type() string   { return "int" }

func (c *costFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < htpasswd.MinCost || n > htpasswd.MaxCost {
		return flagProblem(fmt.Sprintf("takes a number from %d to %d", htpasswd.MinCost, htpasswd.MaxCost))
	}
	c.value, c.given = n, true
	return nil
}

func (c *costFlag) register(cmd *cobra.Command) {
	c.value = htpasswd.DefaultCost
	cmd.Flags().Var(c, "cost", fmt.Sprintf("bcrypt cost, %d to %d; each step doubles the time of every request to the registry", htpasswd.MinCost, htpasswd.MaxCost))
}

// of is the cost of a new hash in the place of the old one: what --cost says,
// else the default, but never less than there was.
func (c *costFlag) of(old htpasswd.Hash) int {
	if cost, ok := old.Cost(); ok && !c.given {
		return min(max(cost, c.value), htpasswd.MaxCost)
	}
	return c.value
}

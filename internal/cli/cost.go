package cli

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// costBudget is the time for all measurements together.
const costBudget = 2 * time.Second

func newCost(p *Program) *cobra.Command {
	format := formatFlag{value: "table", allowed: []string{"table", "json"}}
	target := Duration(100 * time.Millisecond)
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Time bcrypt on this machine",
		Long: `Time bcrypt on this machine, and print for each cost how many milliseconds each
request to the registry spends on its login, and how many logins a core can
verify in a second.

A push of ten layers makes dozens of requests. The measurement takes two
seconds; the times of the high costs are extrapolated from the others, because
each step of the cost doubles the time.

"-o json" is {target_ms, suggested, costs: [{cost, milliseconds,
logins_per_second, extrapolated}]}; suggested is the highest cost within the
target, or null if there is none.`,
		Example: `  registryctl cost
  registryctl cost --target 50ms -o json`,
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := measureCosts(cmd.Context(), time.Duration(target))
			if err != nil {
				return err
			}
			if format.value == "json" {
				return p.Print(jsonText(report))
			}
			return p.Print(report.table())
		},
	}
	cmd.Flags().Var(&target, "target", "`TIME` that a request may take")
	format.registerOutput(cmd)
	return cmd
}

// A costReport is the JSON output: no field may change its name or meaning.
type costReport struct {
	TargetMS  float64   `json:"target_ms"`
	Suggested *int      `json:"suggested"` // null where no cost is within the target
	Costs     []costRow `json:"costs"`
}

type costRow struct {
	Cost            int     `json:"cost"`
	Milliseconds    float64 `json:"milliseconds"`      // of one core
	LoginsPerSecond float64 `json:"logins_per_second"` // of one core
	Extrapolated    bool    `json:"extrapolated"`
}

// measureCosts times each cost as often as the budget allows, and keeps the shortest
// time, because other work of the machine only makes it longer.
func measureCosts(ctx context.Context, target time.Duration) (costReport, error) {
	report := costReport{TargetMS: milliseconds(target)}
	end := time.Now().Add(costBudget)
	var last time.Duration
	for cost := htpasswd.MinCost; cost <= htpasswd.MaxCost; cost++ {
		expected := 2 * last
		took, measured, err := timeCost(ctx, cost, expected, end)
		if err != nil {
			return report, err
		}
		if !measured {
			took = expected
		}
		last = took
		report.Costs = append(report.Costs, costRow{cost, milliseconds(took), 1 / took.Seconds(), !measured})
		if took <= target {
			report.Suggested = &cost
		}
	}
	return report, nil
}

// leastTime is the shortest time that is measured, several steps of the clock, which
// are 16 ms on Windows. A hash that takes less is computed several times in a row.
const leastTime = 40 * time.Millisecond

// timeCost measures a cost, at most three times. It starts no measurement that is
// expected to finish after end; measured is false if there was none.
func timeCost(ctx context.Context, cost int, expected time.Duration, end time.Time) (best time.Duration, measured bool, err error) {
	for range 3 {
		if time.Now().Add(max(expected, leastTime)).After(end) {
			break
		}
		var took, hashes time.Duration
		for begun := time.Now(); took < leastTime; took = time.Since(begun) {
			err := interruptible(ctx, func() error {
				_, err := htpasswd.HashPassword([]byte("password"), cost)
				return err
			})
			if err != nil {
				return 0, false, err
			}
			hashes++
		}
		if took /= hashes; !measured || took < best {
			best, measured = took, true
		}
	}
	return best, measured, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r costReport) table() []byte {
	rows := [][]string{{"COST", "MS/REQUEST", "LOGINS/S/CORE", ""}}
	for _, c := range r.Costs {
		var notes []string
		if c.Extrapolated {
			notes = append(notes, "extrapolated")
		}
		if r.Suggested != nil && c.Cost == *r.Suggested {
			notes = append(notes, fmt.Sprintf("the highest within %s ms", strconv.FormatFloat(r.TargetMS, 'f', -1, 64)))
		}
		rows = append(rows, []string{fmt.Sprint(c.Cost), fmt.Sprintf("%.1f", c.Milliseconds), fmt.Sprintf("%.1f", c.LoginsPerSecond), strings.Join(notes, ", ")})
	}
	return fmt.Appendf(tableText(rows), "on %s/%s with %d cores\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

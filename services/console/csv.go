package console

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/cairnhq/cairn/services/console/mapview"
)

// writeCSV writes one table of the map (RFC 4180, a header, lines end in CRLF).
// A number without evidence is an empty field, a hidden count "few".
func writeCSV(w io.Writer, m *mapview.Map, table string) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	for _, row := range csvRows(m, table) {
		for i := range row {
			row[i] = defuse(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvRows(m *mapview.Map, table string) [][]string {
	var rows [][]string
	switch table {
	case tableStages:
		rows = append(rows, []string{"stage", "order", "profiles", "of_entrants", "went_on", "conversion", "median_dwell_seconds", "mean_dwell_seconds"})
		for _, s := range m.Stages {
			rows = append(rows, []string{
				s.Stage, strconv.Itoa(int(s.Order)), csvCount(s.Profiles), csvFloat(s.OfEntrants), csvCount(s.WentOn),
				csvFloat(s.Conversion), csvFloat(s.MedianDwellSeconds), csvFloat(s.MeanDwellSeconds),
			})
		}
	case tableDaily:
		rows = append(rows, []string{"day", "stage", "profiles", "went_on", "conversion"})
		for _, d := range m.Daily {
			rows = append(rows, []string{d.Day, d.Stage, csvCount(d.Profiles), csvCount(d.WentOn), csvFloat(d.Conversion)})
		}
	default:
		rows = append(rows, []string{"channel", "stage", "touchpoints", "profiles", "share", "mean_dwell_seconds"})
		for _, ch := range m.Channels {
			for _, c := range ch.Cells {
				rows = append(rows, []string{
					ch.Channel, c.Stage, csvCount(c.Touchpoints), csvCount(c.Profiles), csvFloat(c.Share), csvFloat(c.MeanDwellSeconds),
				})
			}
		}
	}
	return rows
}

func csvCount(c mapview.Count) string {
	if c.Hidden {
		return "few"
	}
	return strconv.FormatUint(c.N, 10)
}

func csvFloat(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

// defuse keeps spreadsheets from running a field as a formula: names of channels
// and stages come from events that anyone may have sent. No number here is
// negative, so no number is changed.
func defuse(field string) string {
	if field != "" && strings.ContainsRune("=+-@\t\r\n|", rune(field[0])) {
		return "'" + field
	}
	return field
}

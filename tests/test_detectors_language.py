"""Another language is named only when it is clear; short, listed or code-like English is never refused."""

from __future__ import annotations

import pytest

from detectors.language import unsupported_script_or_language

OTHER = {
    "German": "Der Vertrag ist nicht gültig und wird mit dem Ende des Jahres aufgelöst.",
    "French": "Les employés ont droit à vingt jours de congé par an et ne peuvent pas les vendre.",
    "Spanish": "Los empleados tienen derecho a veinte días al año y los de la empresa no.",
    "Italian": "Il contratto non è valido e gli impiegati della ditta sono nel diritto di avere più ferie.",
    "Portuguese": "Os funcionários têm direito a vinte dias de férias por ano e não podem vender mais dias.",
    "Dutch": "De werknemers van het bedrijf hebben twintig dagen en dat wordt niet door ons betaald.",
    "Polish": "Umowa nie jest ważna w tym roku i pracownicy są zwolnieni przez firmę od pracy na stałe.",
    "Swedish": "Avtalet är inte giltigt och de anställda har rätt till en ersättning som betalas av oss.",
    "Danish": "Aftalen er ikke gyldig og de ansatte har ret til en betaling af det nye firma med det.",
    "Turkish": "Bu sözleşme bir yıl için geçerli ve daha sonra yeni bir sözleşme ile olarak değiştirilecek.",
    "Indonesian": "Perjanjian ini tidak berlaku dan karyawan yang lain akan dibayar oleh kami dalam ini.",
}
ENGLISH = [
    "",
    "Der Vertrag ist nicht gültig.",
    "The contract is not valid and will end with the year.",
    "Add a widget, open a menu, pick a colour, press a key.",
    "I think I know what I do when I go there.",
    "Choose a plan: a monthly plan, a yearly plan, or a free trial.",
    "No pets. No smoking. No children. No cash. No refunds. No returns. No exceptions.",
    "Rio de Janeiro, Cabo de Hornos, Playa de las Americas, La Paz, Las Palmas, El Paso, Los Angeles",
    "for i in range(10): print(i); i += 1; do_i(i); i = i * i",
    "12 34 56 78 90 12 34 56 78 90",
    "Café Zoë, São Paulo: α and β differ.",
]


@pytest.mark.parametrize("language", OTHER)
def test_other_languages_are_named(language: str) -> None:
    assert unsupported_script_or_language(OTHER[language]) == f"not English (looks like {language})"


@pytest.mark.parametrize("text", ENGLISH)
def test_english_short_and_code_are_not_refused(text: str) -> None:
    assert unsupported_script_or_language(text) is None


def test_capitals_only_are_read_as_words() -> None:
    assert unsupported_script_or_language(OTHER["German"].upper()) == "not English (looks like German)"


@pytest.mark.parametrize(
    "text", ["员工每年有二十天的带薪年假", "Сотрудники имеют право на отпуск", "الموظفون لهم الحق في إجازة"]
)
def test_another_script(text: str) -> None:
    assert unsupported_script_or_language(text) == "not English (another script)"

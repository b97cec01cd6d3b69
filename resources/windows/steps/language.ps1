#region verify
if ($Guesthouse.Language -eq '') { return }
$language = (Get-WinSystemLocale).Name
if ($language -ne $Guesthouse.Language) { throw "The language is $language and not $($Guesthouse.Language)." }
#endregion

#region remediate
# It holds from the next start on, which comes before the next verification.
Set-WinSystemLocale -SystemLocale $Guesthouse.Language
#endregion

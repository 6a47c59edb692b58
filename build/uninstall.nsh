; What the app has written outside its folder: the login item that Electron sets under its own name.
; Not at an update, which runs the uninstaller of the old version.
!macro customUnInstall
  ${ifNot} ${isUpdated}
    DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "dev.tirami.host"
    DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run" "dev.tirami.host"
    DeleteRegKey HKCU "Software\Classes\tirami"
  ${endIf}
!macroend
